# bash completion for mlq-loadgen; made by `mlq-loadgen --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_loadgen_table() {
  case $command in
    '') commands='gen import export xform stat check explain' options='--help -h --version' takes='  ' ;;
    'gen') commands='' options='--rate --gap --duration --count --law --cv --alpha --k --start --jitter --batch --segment --episode --points --interp --counts --class --bin --compress --mean-rate --amplitude --period --phase --harmonic --expr-step --base --onset --level --ramp --sustain --decay --duty --rates --sojourn --jump --generator --matrices --on-rate --on --off --sources --rate-cv --rate-step --rate-ar --hurst --by --step --idc --mean-on --mean-off --source --weights --class-mix --input-tokens --output-tokens --size-bytes --lengths --context --keys --churn --shard --emit-path --output -o --threads -j --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --rate --gap --duration --count --law --cv --alpha --k --start --jitter --batch --segment --episode --points --interp --counts --class --bin --compress --mean-rate --amplitude --period --phase --harmonic --expr-step --base --onset --level --ramp --sustain --decay --duty --rates --sojourn --jump --generator --matrices --on-rate --on --off --sources --rate-cv --rate-step --rate-ar --hurst --by --step --idc --mean-on --mean-off --source --weights --class-mix --input-tokens --output-tokens --size-bytes --lengths --context --keys --churn --shard --output -o --threads -j --seed ' ;;
    'import') commands='' options='--origin --dequantise --sort --memory --max-bad --max-line --failures --bin --fill --time-col --time-format --time-unit --tz --input-col --output-col --class-col --conversation-col --bytes-col --value-col --value-transform --header --source-name --source-license --output -o --threads -j --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --origin --dequantise --sort --memory --max-bad --max-line --failures --bin --fill --time-col --time-format --time-unit --tz --input-col --output-col --class-col --conversation-col --bytes-col --value-col --value-transform --header --source-name --source-license --output -o --threads -j --seed ' ;;
    'export') commands='' options='--origin --output -o --strict --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --origin --output -o ' ;;
    'xform') commands='' options='--sort --memory --do --output -o --seed --strict --allow-truncated --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --sort --memory --do --output -o --seed ' ;;
    'stat') commands='' options='--sort --memory --emit --bin --output -o --seed --strict --allow-truncated --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --sort --memory --emit --bin --output -o --seed ' ;;
    'check') commands='' options='--sort --memory --against --alpha --output -o --seed --strict --allow-truncated --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --sort --memory --against --alpha --output -o --seed ' ;;
    'explain') commands='' options='--rate --gap --duration --count --law --cv --alpha --k --start --jitter --batch --segment --episode --points --interp --counts --class --bin --compress --mean-rate --amplitude --period --phase --harmonic --expr-step --base --onset --level --ramp --sustain --decay --duty --rates --sojourn --jump --generator --matrices --on-rate --on --off --sources --rate-cv --rate-step --rate-ar --hurst --by --step --idc --mean-on --mean-off --source --weights --class-mix --input-tokens --output-tokens --size-bytes --lengths --context --keys --churn --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --rate --gap --duration --count --law --cv --alpha --k --start --jitter --batch --segment --episode --points --interp --counts --class --bin --compress --mean-rate --amplitude --period --phase --harmonic --expr-step --base --onset --level --ramp --sustain --decay --duty --rates --sojourn --jump --generator --matrices --on-rate --on --off --sources --rate-cv --rate-step --rate-ar --hurst --by --step --idc --mean-on --mean-off --source --weights --class-mix --input-tokens --output-tokens --size-bytes --lengths --context --keys --churn --output -o --seed ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_loadgen_words() {
  case $1 in
    'gen:--start') words='stationary event zero' ;;
    'gen:--points') words=-f ;;
    'gen:--interp') words='step linear spline' ;;
    'gen:--counts') words='resample keep' ;;
    'gen:--jump') words=-f ;;
    'gen:--generator') words=-f ;;
    'gen:--matrices') words=-f ;;
    'gen:--by') words='onoff mg-inf fgn' ;;
    'gen:--lengths') words=-f ;;
    'gen:--output' | 'gen:-o') words=-f ;;
    'gen:#'0) words='poisson gamma weibull lognormal pareto lomax erlang h2 deterministic concat nhpp rate-file sinusoid expr ramp step spike square sawtooth flash-crowd mmpp map bmap onoff cox self-similar superpose preset' ;;
    'gen:#'1) words='rrl-dynamic rrl-wiki azure-conv-like mlperf-server diurnal flash-crowd bursty' ;;
    'import:--dequantise') words='none uniform even' ;;
    'import:--sort') words='yes assume' ;;
    'import:--failures') words='drop keep' ;;
    'import:--fill') words='gap zero hold' ;;
    'import:--time-unit') words='s ms us ns' ;;
    'import:--value-transform') words='none exp' ;;
    'import:--header') words='detect yes no' ;;
    'import:--output' | 'import:-o') words=-f ;;
    'import:#'0) words='auto azure-llm mooncake burstgpt azure-func-2021 azure-func-2019 servegen limbo counts gaps clf csv jsonl' ;;
    'import:#'*) words=-f ;;
    'export:--output' | 'export:-o') words=-f ;;
    'export:#'0) words='csv gaps mooncake azure-llm' ;;
    'export:#'1) words=-f ;;
    'xform:--sort') words='auto memory assume' ;;
    'xform:--output' | 'xform:-o') words=-f ;;
    'xform:#'0) words=-f ;;
    'stat:--sort') words='auto memory assume' ;;
    'stat:--output' | 'stat:-o') words=-f ;;
    'stat:#'0) words=-f ;;
    'check:--sort') words='auto memory assume' ;;
    'check:--against') words='poisson self' ;;
    'check:--output' | 'check:-o') words=-f ;;
    'check:#'0) words=-f ;;
    'explain:--start') words='stationary event zero' ;;
    'explain:--points') words=-f ;;
    'explain:--interp') words='step linear spline' ;;
    'explain:--counts') words='resample keep' ;;
    'explain:--jump') words=-f ;;
    'explain:--generator') words=-f ;;
    'explain:--matrices') words=-f ;;
    'explain:--by') words='onoff mg-inf fgn' ;;
    'explain:--lengths') words=-f ;;
    'explain:--output' | 'explain:-o') words=-f ;;
    'explain:#'0) words='poisson gamma weibull lognormal pareto lomax erlang h2 deterministic concat nhpp rate-file sinusoid expr ramp step spike square sawtooth flash-crowd mmpp map bmap onoff cox self-similar superpose preset' ;;
    'explain:#'1) words='rrl-dynamic rrl-wiki azure-conv-like mlperf-server diurnal flash-crowd bursty' ;;
  esac
}

_mlq_loadgen() {
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

  _mlq_loadgen_table
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
      _mlq_loadgen_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_loadgen_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_loadgen_words "$command:#$place"
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

complete -F _mlq_loadgen mlq-loadgen
