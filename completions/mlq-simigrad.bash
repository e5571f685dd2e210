# bash completion for mlq-simigrad; made by `mlq-simigrad --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_simigrad_table() {
  case $command in
    '') commands='inspect estimate schedule follow watch replay gen hook' options='--help -h --version' takes='  ' ;;
    'inspect') commands='' options='--list --check --checksum --pattern --raw --npy-bf16 --group-samples --loss-scale --scratch --include --exclude --split --replicated --intersect --output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --pattern --raw --group-samples --loss-scale --scratch --include --exclude --split --replicated --output -o ' ;;
    'estimate') commands='' options='--ema --halflife --window --confidence --population --base-batch --pattern --raw --npy-bf16 --group-samples --loss-scale --scratch --include --exclude --split --replicated --intersect --io --device --memory --per --on-nonfinite --output -o --threads -j --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --ema --halflife --window --confidence --population --base-batch --pattern --raw --group-samples --loss-scale --scratch --include --exclude --split --replicated --io --device --memory --per --on-nonfinite --output -o --threads -j ' ;;
    'schedule') commands='' options='--controller --target --theta --kappa --min --max --multiple --micro --dp --max-micro --ladder --monotone --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --unbiased --ema --halflife --window --confidence --population --base-batch --batch --emit --segments --seq-length --epoch-samples --total-samples --axis --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --controller --target --theta --kappa --min --max --multiple --micro --dp --max-micro --ladder --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --ema --halflife --window --confidence --population --base-batch --batch --emit --segments --seq-length --epoch-samples --total-samples --axis --output -o --seed ' ;;
    'follow') commands='' options='--controller --target --theta --kappa --min --max --multiple --micro --dp --max-micro --ladder --monotone --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --unbiased --ema --halflife --window --confidence --population --base-batch --in --out --batch --state --state-sync --keep-open --pattern --raw --npy-bf16 --group-samples --loss-scale --scratch --include --exclude --split --replicated --intersect --io --device --memory --poll --settle --deadline --remove --output -o --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --controller --target --theta --kappa --min --max --multiple --micro --dp --max-micro --ladder --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --ema --halflife --window --confidence --population --base-batch --in --out --batch --state --pattern --raw --group-samples --loss-scale --scratch --include --exclude --split --replicated --io --device --memory --poll --settle --deadline --output -o --threads -j ' ;;
    'watch') commands='' options='--controller --target --theta --kappa --min --max --multiple --micro --dp --max-micro --ladder --monotone --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --unbiased --ema --halflife --window --confidence --population --base-batch --in --out --batch --state --state-sync --keep-open --pattern --raw --npy-bf16 --group-samples --loss-scale --scratch --include --exclude --split --replicated --intersect --io --device --memory --poll --settle --deadline --remove --output -o --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --controller --target --theta --kappa --min --max --multiple --micro --dp --max-micro --ladder --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --ema --halflife --window --confidence --population --base-batch --in --out --batch --state --pattern --raw --group-samples --loss-scale --scratch --include --exclude --split --replicated --io --device --memory --poll --settle --deadline --output -o --threads -j ' ;;
    'replay') commands='' options='--controllers --targets --budget --step-time --noise --batch --min --max --multiple --micro --dp --max-micro --ladder --monotone --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --unbiased --ema --halflife --window --confidence --population --base-batch --output -o --seed --strict --no-provenance --allow-truncated --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --controllers --targets --budget --step-time --batch --min --max --multiple --micro --dp --max-micro --ladder --warmup-steps --interval --cooldown --max-step --deadband --lr-rule --lr-damp --halves --smooth --gain --step-cost --ema --halflife --window --confidence --population --base-batch --output -o --seed ' ;;
    'gen') commands='' options='--gram-only --steps --groups --samples --b-simple --growth --d-eff --params --signal --tensors --dtype --format --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --steps --groups --samples --b-simple --growth --d-eff --params --signal --tensors --dtype --format --output -o --seed ' ;;
    'hook') commands='' options='--dump --output -o --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --dump --output -o ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_simigrad_words() {
  case $1 in
    'inspect:--scratch') words=-d ;;
    'inspect:--output' | 'inspect:-o') words=-f ;;
    'inspect:#'*) words=-f ;;
    'estimate:--scratch') words=-d ;;
    'estimate:--io') words='auto mmap read direct' ;;
    'estimate:--device') words='auto cpu cuda' ;;
    'estimate:--per') words='all tensor' ;;
    'estimate:--on-nonfinite') words='skip fail' ;;
    'estimate:--output' | 'estimate:-o') words=-f ;;
    'estimate:#'*) words=-f ;;
    'schedule:--controller') words='simigrad ratio sqrt-noise normtest static' ;;
    'schedule:--ladder') words='pow2 integer-factor' ;;
    'schedule:--deadband') words='off ci' ;;
    'schedule:--lr-rule') words='sqrt linear gain none' ;;
    'schedule:--halves') words='parity split' ;;
    'schedule:--emit') words='jsonl megatron deepspeed lightning csv' ;;
    'schedule:--axis') words='progress samples steps' ;;
    'schedule:--output' | 'schedule:-o') words=-f ;;
    'schedule:#'0) words=-f ;;
    'follow:--controller') words='simigrad ratio sqrt-noise normtest static' ;;
    'follow:--ladder') words='pow2 integer-factor' ;;
    'follow:--deadband') words='off ci' ;;
    'follow:--lr-rule') words='sqrt linear gain none' ;;
    'follow:--halves') words='parity split' ;;
    'follow:--in') words=-f ;;
    'follow:--out') words=-f ;;
    'follow:--state') words=-f ;;
    'follow:--scratch') words=-d ;;
    'follow:--io') words='auto mmap read direct' ;;
    'follow:--device') words='auto cpu cuda' ;;
    'follow:--output' | 'follow:-o') words=-f ;;
    'follow:#'0) words=-d ;;
    'watch:--controller') words='simigrad ratio sqrt-noise normtest static' ;;
    'watch:--ladder') words='pow2 integer-factor' ;;
    'watch:--deadband') words='off ci' ;;
    'watch:--lr-rule') words='sqrt linear gain none' ;;
    'watch:--halves') words='parity split' ;;
    'watch:--in') words=-f ;;
    'watch:--out') words=-f ;;
    'watch:--state') words=-f ;;
    'watch:--scratch') words=-d ;;
    'watch:--io') words='auto mmap read direct' ;;
    'watch:--device') words='auto cpu cuda' ;;
    'watch:--output' | 'watch:-o') words=-f ;;
    'watch:#'0) words=-d ;;
    'replay:--step-time') words=-f ;;
    'replay:--ladder') words='pow2 integer-factor' ;;
    'replay:--deadband') words='off ci' ;;
    'replay:--lr-rule') words='sqrt linear gain none' ;;
    'replay:--halves') words='parity split' ;;
    'replay:--output' | 'replay:-o') words=-f ;;
    'replay:#'*) words=-f ;;
    'gen:--signal') words='e1 uniform' ;;
    'gen:--dtype') words='f32 bf16 f16 f64' ;;
    'gen:--format') words='safetensors npy' ;;
    'gen:--output' | 'gen:-o') words=-f ;;
    'hook:--output' | 'hook:-o') words=-f ;;
    'hook:#'0) words='torch ddp' ;;
  esac
}

_mlq_simigrad() {
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

  _mlq_simigrad_table
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
      _mlq_simigrad_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_simigrad_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_simigrad_words "$command:#$place"
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

complete -F _mlq_simigrad mlq-simigrad
