# bash completion for mlq-tune; made by `mlq-tune --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_tune_table() {
  case $command in
    '') commands='init check search run measure sweep simulate replay compare ask tell live status rollback explain export' options='--help -h --version' takes='  ' ;;
    'init') commands='' options='--preset --from-live --output -o --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --preset --from-live --output -o ' ;;
    'check') commands='' options='--space --endpoint --offline --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --window --settle --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --window --settle --output -o --seed ' ;;
    'search') commands='' options='--space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --trials --time --baseline --confirm --leave --hot-only --max-restarts --prior --dry-run --timing --window --settle --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --state --state-reset --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --trials --time --baseline --confirm --leave --max-restarts --prior --window --settle --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --state --output -o --seed ' ;;
    'run') commands='' options='--space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --trials --time --baseline --confirm --leave --hot-only --max-restarts --prior --dry-run --timing --window --settle --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --state --state-reset --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --trials --time --baseline --confirm --leave --max-restarts --prior --window --settle --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --state --output -o --seed ' ;;
    'measure') commands='' options='--space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --config --repeats --duet --margin --pairs --window --settle --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --config --repeats --duet --margin --pairs --window --settle --output -o --seed ' ;;
    'sweep') commands='' options='--space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --name --points --repeats --no-baseline --window --settle --state --state-reset --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --slo --objective --name --points --repeats --window --settle --state --output -o --seed ' ;;
    'simulate') commands='' options='--preset --rows --listen --requests --repeats --arrivals --start --queue --duration --drift --refuse --lie --crash-on --output -o --threads -j --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --preset --listen --requests --repeats --arrivals --start --queue --duration --drift --refuse --lie --crash-on --output -o --threads -j --seed ' ;;
    'replay') commands='' options='--surface --space --start --noise --spikes --missing --truth-requests --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --trials --phase --memory --timing --slo --objective --output -o --threads -j --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --surface --space --start --noise --spikes --missing --truth-requests --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --trials --phase --memory --slo --objective --output -o --threads -j --seed ' ;;
    'compare') commands='' options='--surface --space --start --noise --spikes --missing --truth-requests --tuner --external --trials --phase --memory --timing --slo --objective --seeds --assert --suite --episodes --known --output -o --threads -j --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --surface --space --start --noise --spikes --missing --truth-requests --tuner --external --trials --phase --memory --slo --objective --seeds --assert --suite --episodes --known --output -o --threads -j --seed ' ;;
    'ask') commands='' options='--space --endpoint --slo --objective --trials --level --stdio --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --state --state-reset --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --slo --objective --trials --level --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --state --output -o --seed ' ;;
    'tell') commands='' options='--space --endpoint --slo --objective --i --latency --cost --failed --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --state --state-reset --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --slo --objective --i --latency --cost --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --state --output -o --seed ' ;;
    'live') commands='' options='--space --endpoint --slo --objective --once --confirm --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --window --settle --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --state --state-reset --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --slo --objective --confirm --trace --url --api --header --body --bodies --model --input --dim --conns --max-inflight --speed --timeout --max-lag --window-mode --window --settle --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --state --output -o --seed ' ;;
    'status') commands='' options='--output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --output -o ' ;;
    'rollback') commands='' options='--space --endpoint --to --dry-run --state --state-reset --output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --to --state --output -o ' ;;
    'explain') commands='' options='--space --endpoint --slo --objective --level --tuner --estimators --wide --region --repeats --finalists --safe --kappa --radius --radius-steps --alpha --repo-exact --observed-correction --output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --space --endpoint --slo --objective --level --tuner --estimators --wide --region --repeats --finalists --kappa --radius --radius-steps --alpha --output -o ' ;;
    'export') commands='' options='--to --level --unconfirmed --output -o --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --to --level --output -o ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_tune_words() {
  case $1 in
    'init:--preset') words='mlq triton torchserve tfs ovms vllm sglang ray mosec mlserver llamacpp exec' ;;
    'init:--from-live') words=-f ;;
    'init:--output' | 'init:-o') words=-f ;;
    'check:--space') words=-f ;;
    'check:--endpoint') words=-f ;;
    'check:--trace') words=-f ;;
    'check:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'check:--body') words=-f ;;
    'check:--bodies') words=-f ;;
    'check:--window-mode') words='walk same' ;;
    'check:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'check:--output' | 'check:-o') words=-f ;;
    'search:--space') words=-f ;;
    'search:--endpoint') words=-f ;;
    'search:--trace') words=-f ;;
    'search:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'search:--body') words=-f ;;
    'search:--bodies') words=-f ;;
    'search:--window-mode') words='walk same' ;;
    'search:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'search:--baseline') words='auto off' ;;
    'search:--leave') words='best start last' ;;
    'search:--prior') words=-f ;;
    'search:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'search:--estimators') words='alt gp forest' ;;
    'search:--wide') words='forest never every:3 stale:4' ;;
    'search:--region') words='adaptive fixed none' ;;
    'search:--state') words=-f ;;
    'search:--output' | 'search:-o') words=-f ;;
    'run:--space') words=-f ;;
    'run:--endpoint') words=-f ;;
    'run:--trace') words=-f ;;
    'run:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'run:--body') words=-f ;;
    'run:--bodies') words=-f ;;
    'run:--window-mode') words='walk same' ;;
    'run:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'run:--baseline') words='auto off' ;;
    'run:--leave') words='best start last' ;;
    'run:--prior') words=-f ;;
    'run:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'run:--estimators') words='alt gp forest' ;;
    'run:--wide') words='forest never every:3 stale:4' ;;
    'run:--region') words='adaptive fixed none' ;;
    'run:--state') words=-f ;;
    'run:--output' | 'run:-o') words=-f ;;
    'measure:--space') words=-f ;;
    'measure:--endpoint') words=-f ;;
    'measure:--trace') words=-f ;;
    'measure:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'measure:--body') words=-f ;;
    'measure:--bodies') words=-f ;;
    'measure:--window-mode') words='walk same' ;;
    'measure:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'measure:--output' | 'measure:-o') words=-f ;;
    'sweep:--space') words=-f ;;
    'sweep:--endpoint') words=-f ;;
    'sweep:--trace') words=-f ;;
    'sweep:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'sweep:--body') words=-f ;;
    'sweep:--bodies') words=-f ;;
    'sweep:--window-mode') words='walk same' ;;
    'sweep:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'sweep:--state') words=-f ;;
    'sweep:--output' | 'sweep:-o') words=-f ;;
    'simulate:--preset') words='pool-batch pool-delay rrl-cpu' ;;
    'simulate:--output' | 'simulate:-o') words=-f ;;
    'replay:--surface') words='pool-batch pool-delay rrl-cpu presets' ;;
    'replay:--space') words=-f ;;
    'replay:--missing') words='nearest refuse' ;;
    'replay:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'replay:--estimators') words='alt gp forest' ;;
    'replay:--wide') words='forest never every:3 stale:4' ;;
    'replay:--region') words='adaptive fixed none' ;;
    'replay:--memory') words='all level restart' ;;
    'replay:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'replay:--output' | 'replay:-o') words=-f ;;
    'compare:--surface') words='pool-batch pool-delay rrl-cpu presets' ;;
    'compare:--space') words=-f ;;
    'compare:--missing') words='nearest refuse' ;;
    'compare:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'compare:--memory') words='all level restart' ;;
    'compare:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'compare:--suite') words='rrl-paper' ;;
    'compare:--known') words=-f ;;
    'compare:--output' | 'compare:-o') words=-f ;;
    'ask:--space') words=-f ;;
    'ask:--endpoint') words=-f ;;
    'ask:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'ask:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'ask:--estimators') words='alt gp forest' ;;
    'ask:--wide') words='forest never every:3 stale:4' ;;
    'ask:--region') words='adaptive fixed none' ;;
    'ask:--state') words=-f ;;
    'ask:--output' | 'ask:-o') words=-f ;;
    'tell:--space') words=-f ;;
    'tell:--endpoint') words=-f ;;
    'tell:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'tell:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'tell:--estimators') words='alt gp forest' ;;
    'tell:--wide') words='forest never every:3 stale:4' ;;
    'tell:--region') words='adaptive fixed none' ;;
    'tell:--state') words=-f ;;
    'tell:--output' | 'tell:-o') words=-f ;;
    'tell:#'0) words=-f ;;
    'live:--space') words=-f ;;
    'live:--endpoint') words=-f ;;
    'live:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'live:--trace') words=-f ;;
    'live:--api') words='auto raw kserve-v2 openai-chat openai-completions tf-serving' ;;
    'live:--body') words=-f ;;
    'live:--bodies') words=-f ;;
    'live:--window-mode') words='walk same' ;;
    'live:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'live:--estimators') words='alt gp forest' ;;
    'live:--wide') words='forest never every:3 stale:4' ;;
    'live:--region') words='adaptive fixed none' ;;
    'live:--state') words=-f ;;
    'live:--output' | 'live:-o') words=-f ;;
    'status:--output' | 'status:-o') words=-f ;;
    'status:#'0) words=-f ;;
    'rollback:--space') words=-f ;;
    'rollback:--endpoint') words=-f ;;
    'rollback:--to') words='good start' ;;
    'rollback:--state') words=-f ;;
    'rollback:--output' | 'rollback:-o') words=-f ;;
    'explain:--space') words=-f ;;
    'explain:--endpoint') words=-f ;;
    'explain:--objective') words='latency min-resource weighted:w_l=1,w_v=1,w_r=1' ;;
    'explain:--tuner') words='rrl-a rrl rrl-region noregion random grid hill tpe tpe:multivariate gp-ei gp-ei:stop forest-ei capes-like capes-like:paper deeprm-like deeprm-like:warm aimd' ;;
    'explain:--estimators') words='alt gp forest' ;;
    'explain:--wide') words='forest never every:3 stale:4' ;;
    'explain:--region') words='adaptive fixed none' ;;
    'explain:--output' | 'explain:-o') words=-f ;;
    'explain:#'0) words=-f ;;
    'export:--to') words='json env argv pbtxt vllm-flags table' ;;
    'export:--output' | 'export:-o') words=-f ;;
    'export:#'0) words=-f ;;
  esac
}

_mlq_tune() {
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

  _mlq_tune_table
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
      _mlq_tune_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_tune_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_tune_words "$command:#$place"
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

complete -F _mlq_tune mlq-tune
