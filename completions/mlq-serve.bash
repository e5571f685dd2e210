# bash completion for mlq-serve; made by `mlq-serve --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_serve_table() {
  case $command in
    '') commands='run check' options='--help -h --version' takes='  ' ;;
    'run') commands='' options='--config --model --slo --set --listen --admin --admin-token-file --threads -j --memory --max-connections --max-header --max-body --header-timeout --idle-timeout --min-body-rate --emit --grace --drain-timeout --duration --state-dir --full-headers --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --config --model --slo --set --listen --admin --admin-token-file --threads -j --memory --max-connections --max-header --max-body --header-timeout --idle-timeout --min-body-rate --emit --grace --drain-timeout --duration --state-dir --output -o --seed ' ;;
    'check') commands='' options='--config --model --slo --set --row --output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --config --model --slo --set --row --output -o ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_serve_words() {
  case $1 in
    'run:--config') words=-f ;;
    'run:--admin-token-file') words=-f ;;
    'run:--state-dir') words=-d ;;
    'run:--output' | 'run:-o') words=-f ;;
    'check:--config') words=-f ;;
    'check:--row') words=-f ;;
    'check:--output' | 'check:-o') words=-f ;;
  esac
}

_mlq_serve() {
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

  _mlq_serve_table
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
      _mlq_serve_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_serve_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_serve_words "$command:#$place"
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

complete -F _mlq_serve mlq-serve
