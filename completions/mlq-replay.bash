# bash completion for mlq-replay; made by `mlq-replay --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_replay_table() {
  case $command in
    '') commands='run serve merge report' options='--help -h --version' takes='  ' ;;
    'run') commands='' options='--url --host --header --http --insecure --cacert --proxy --follow --api --check --tag --send-deadline --retry --method --body --bodies --body-bytes --model --dim --input --no-stream --ignore-eos --prompt-as --tokens-per-word --speed --threads -j --conns --max-inflight --on-cap --warmup --warm --rt --dry-run --connect-timeout --first-byte-timeout --idle-timeout --timeout --grace --slo --window --window-n --window-wait --results --itl --stall-factor --max-lag --require-valid --buffer --record-buffer --shard --start-at --max-clock-error --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --url --host --header --http --cacert --proxy --api --check --method --body --bodies --body-bytes --model --dim --input --prompt-as --tokens-per-word --speed --threads -j --conns --max-inflight --on-cap --warmup --warm --rt --connect-timeout --first-byte-timeout --idle-timeout --timeout --grace --slo --window --window-n --window-wait --results --itl --stall-factor --max-lag --buffer --record-buffer --shard --start-at --max-clock-error --output -o --seed ' ;;
    'serve') commands='' options='--listen --count --duration --api --service --servers --batch --sse --tokens --body-bytes --stall --error --reset --close-after --slow-read --drip --endless-headers --invalid-sse --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --listen --count --duration --api --service --servers --batch --sse --tokens --body-bytes --stall --error --reset --close-after --slow-read --drip --output -o --seed ' ;;
    'merge') commands='' options='--partial --memory --require-valid --output -o --strict --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --memory --output -o ' ;;
    'report') commands='' options='--slo --require-valid --class --from --to --where-outcome --window --window-n --format --output -o --strict --allow-truncated --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --slo --class --from --to --where-outcome --window --window-n --format --output -o ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_replay_words() {
  case $1 in
    'run:--http') words='1.1 2 2-prior' ;;
    'run:--cacert') words=-f ;;
    'run:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'run:--check') words='none status json' ;;
    'run:--body') words=-f ;;
    'run:--bodies') words=-f ;;
    'run:--prompt-as') words='text ids' ;;
    'run:--on-cap') words='queue drop abort' ;;
    'run:--rt') words='auto fifo nice off' ;;
    'run:--results') words='all errors none sample:1%' ;;
    'run:--itl') words='summary full' ;;
    'run:--output' | 'run:-o') words=-f ;;
    'run:#'0) words=-f ;;
    'serve:--api') words='auto kserve-v2 openai-chat tf-serving raw' ;;
    'serve:--output' | 'serve:-o') words=-f ;;
    'merge:--output' | 'merge:-o') words=-f ;;
    'merge:#'*) words=-f ;;
    'report:--format') words='jsonl md csv hgrm' ;;
    'report:--output' | 'report:-o') words=-f ;;
    'report:#'*) words=-f ;;
  esac
}

_mlq_replay() {
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

  _mlq_replay_table
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
      _mlq_replay_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_replay_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_replay_words "$command:#$place"
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

complete -F _mlq_replay mlq-replay
