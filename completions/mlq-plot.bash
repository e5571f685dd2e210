# bash completion for mlq-plot; made by `mlq-plot --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_plot_table() {
  case $command in
    '') commands='' options='--kind --picture --list --title --format --size --gnuplot --output -o --strict --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h --version' takes=' --kind --picture --title --format --size --gnuplot --output -o ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_plot_words() {
  case $1 in
    ':--kind') words='trace check replay serve model tune tuners quant patch gather simigrad bench' ;;
    ':--format') words='by-name text svg png pdf gp' ;;
    ':--output' | ':-o') words=-f ;;
    ':#'*) words=-f ;;
  esac
}

_mlq_plot() {
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

  _mlq_plot_table
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
      _mlq_plot_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_plot_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_plot_words "$command:#$place"
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

complete -F _mlq_plot mlq-plot
