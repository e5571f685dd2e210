# bash completion for mlq-model; made by `mlq-model --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_model_table() {
  case $command in
    '') commands='run check' options='--help -h --version' takes='  ' ;;
    'run') commands='' options='--backend --model --isolate --echo --name --set --listen --admin --admin-token-file --duration --drain-timeout --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --backend --model --name --set --listen --admin --admin-token-file --duration --drain-timeout --output -o --seed ' ;;
    'check') commands='' options='--backend --model --isolate --rows --at-least --batches --no-speed --time --output -o --threads -j --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --backend --model --rows --at-least --batches --time --output -o --threads -j ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_model_words() {
  case $1 in
    'run:--backend') words='noop sleep linear kernel-svm forest onnx' ;;
    'run:--model') words=-f ;;
    'run:--admin-token-file') words=-f ;;
    'run:--output' | 'run:-o') words=-f ;;
    'check:--backend') words='noop sleep linear kernel-svm forest onnx' ;;
    'check:--model') words=-f ;;
    'check:--rows') words=-f ;;
    'check:--output' | 'check:-o') words=-f ;;
  esac
}

_mlq_model() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' commands options takes words='' word place=0 i
  COMPREPLY=()
  # "--option=value" arrives as three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $previous == : || $current == : ]]; then
    return
  fi

  _mlq_model_table
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == [=:] ]]; then
      ((i++))
    elif [[ $takes == *" $word "* ]]; then
      [[ ${COMP_WORDS[i + 1]} == = ]] && ((i++))
      ((i++))
    elif [[ $word == -?* ]]; then
      continue
    elif [[ " $commands " == *" $word "* ]]; then
      command+=${command:+ }$word
      place=0
      _mlq_model_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_model_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_model_words "$command:#$place"
  fi
  case $words in
    '') ;;
    -f | -d)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen "$words" -- "$current")
      ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
  esac
}

complete -F _mlq_model mlq-model
