# bash completion for mlq-quant; made by `mlq-quant --generate bash`, do not edit.

# Sets commands, options and takes (the options with a value) for what $command names.
_mlq_quant_table() {
  case $command in
    '') commands='inspect encode decode verify plan diff apply squash chain gather simulate bench' options='--help -h --version' takes='  ' ;;
    'inspect') commands='' options='--stats --npy-bf16 --memory --output -o --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --memory --output -o --threads -j ' ;;
    'encode') commands='' options='--output -o --container --records --max-shard-size --no-config --dynamic-activations --dry-run --audit --resume --format --block --blocks --grid --scale --positive-scales --double-quant --mx-scale --nvfp4-scale --zstd --snr --rmse --bits --plan --force --include --exclude --min-elems --quantize-1d --nonfinite --no-fallback --npy-bf16 --device --memory --threads -j --strict --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --output -o --container --records --max-shard-size --audit --format --block --blocks --grid --scale --mx-scale --nvfp4-scale --zstd --snr --rmse --bits --plan --include --exclude --min-elems --nonfinite --device --memory --threads -j ' ;;
    'decode') commands='' options='--output -o --dtype --records --max-shard-size --memory --threads -j --strict --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --output -o --dtype --records --max-shard-size --memory --threads -j ' ;;
    'verify') commands='' options='--against --snr --rmse --certificate --npy-bf16 --records --memory --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --against --snr --rmse --certificate --records --memory --threads -j ' ;;
    'plan') commands='' options='--bits --snr --rmse --objective --importance --include --exclude --min-elems --quantize-1d --formats --npy-bf16 --memory --output -o --threads -j --strict --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --bits --snr --rmse --objective --importance --include --exclude --min-elems --formats --memory --output -o --threads -j ' ;;
    'diff') commands='' options='--output -o --step --codec --records --memory --bits --next-base --block --grid --state-dtype --key --key-frame --rekey-above --zstd --min-elems --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --output -o --step --codec --records --memory --bits --next-base --block --grid --state-dtype --key --rekey-above --zstd --min-elems --threads -j ' ;;
    'apply') commands='' options='--output -o --to --records --memory --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --output -o --to --records --memory --threads -j ' ;;
    'squash') commands='' options='--base --output -o --step --codec --records --memory --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --base --output -o --step --codec --records --memory --threads -j ' ;;
    'chain') commands='' options='--add --step --anchor --anchor-every --codec --verify --drop-before --memory --output -o --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --add --step --anchor-every --codec --drop-before --memory --output -o --threads -j ' ;;
    'gather') commands='' options='--output -o --cancel --bits --block --grid --scale --state-dtype --beta --residual-reset --residual-dtype --rival --steps --key --key-every --rekey-above --hash-every --state --state-every --resume --slice --join --like --device --transport --piece --timeout --records --include --exclude --min-elems --quantize-1d --threads -j --seed --strict --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --output -o --cancel --bits --block --grid --scale --state-dtype --beta --residual-reset --residual-dtype --rival --steps --key --key-every --rekey-above --hash-every --state --state-every --join --like --device --transport --piece --timeout --records --include --exclude --min-elems --threads -j --seed ' ;;
    'simulate') commands='' options='--update --correlation --drift --steps --modes --bits --blocks --grid --state-dtype --strata --residual-dtype --tolerance --elems --include --exclude --min-elems --quantize-1d --output -o --seed --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --update --correlation --drift --steps --modes --bits --blocks --grid --state-dtype --strata --residual-dtype --tolerance --elems --include --exclude --min-elems --output -o --seed ' ;;
    'bench') commands='kernel io gather' options='--help -h' takes='  ' ;;
    'bench kernel') commands='' options='--formats --dtype --elems --time --output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --formats --dtype --elems --time --output -o ' ;;
    'bench io') commands='' options='--size --output -o --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --size --output -o ' ;;
    'bench gather') commands='' options='--formats --elems --time --device --transport --piece --timeout --output -o --threads -j --no-provenance --summary --progress --no-progress --quiet -q --verbose -v --help -h' takes=' --formats --elems --time --device --transport --piece --timeout --output -o --threads -j ' ;;
  esac
}

# Sets words to what may stand at "COMMAND:OPTION" or "COMMAND:#PLACE"; -f is files, -d folders.
_mlq_quant_words() {
  case $1 in
    'inspect:--output' | 'inspect:-o') words=-f ;;
    'inspect:#'*) words=-f ;;
    'encode:--output' | 'encode:-o') words=-f ;;
    'encode:--container') words='mlq safetensors compressed-tensors bnb' ;;
    'encode:--records') words=-f ;;
    'encode:--format') words='int8 int4 int3 int2 ec nf4 fp4 fp8e4m3 fp8e5m2 mxfp4 mxfp8 nvfp4 bf16 raw' ;;
    'encode:--block') words='32 64 128 row tensor' ;;
    'encode:--blocks') words='flat row' ;;
    'encode:--grid') words='absmax signed mse' ;;
    'encode:--scale') words='bf16 f16 f32' ;;
    'encode:--mx-scale') words='floor even best' ;;
    'encode:--nvfp4-scale') words='six best' ;;
    'encode:--zstd') words='off literal match auto' ;;
    'encode:--plan') words=-f ;;
    'encode:--nonfinite') words='error keep zero' ;;
    'encode:--device') words='auto cpu cuda' ;;
    'encode:#'0) words=-f ;;
    'decode:--output' | 'decode:-o') words=-f ;;
    'decode:--dtype') words='bf16 f16 f32' ;;
    'decode:--records') words=-f ;;
    'decode:#'0) words=-f ;;
    'verify:--against') words=-f ;;
    'verify:--certificate') words=-f ;;
    'verify:--records') words=-f ;;
    'verify:#'0) words=-f ;;
    'plan:--objective') words='rel abs' ;;
    'plan:--importance') words=-f ;;
    'plan:--output' | 'plan:-o') words=-f ;;
    'plan:#'0) words=-f ;;
    'diff:--output' | 'diff:-o') words=-f ;;
    'diff:--codec') words='auto gap bitmap xor' ;;
    'diff:--records') words=-f ;;
    'diff:--bits') words='4 2 3 8' ;;
    'diff:--next-base') words=-f ;;
    'diff:--grid') words='absmax signed mse' ;;
    'diff:--state-dtype') words='bf16 f16 f32' ;;
    'diff:--key') words='int8 int4 int3 int2' ;;
    'diff:--zstd') words='auto off' ;;
    'diff:#'0) words=-f ;;
    'diff:#'1) words=-f ;;
    'apply:--output' | 'apply:-o') words=-f ;;
    'apply:--records') words=-f ;;
    'apply:#'0) words=-f ;;
    'apply:#'*) words=-f ;;
    'squash:--base') words=-f ;;
    'squash:--output' | 'squash:-o') words=-f ;;
    'squash:--codec') words='auto gap bitmap xor' ;;
    'squash:--records') words=-f ;;
    'squash:#'*) words=-f ;;
    'chain:--add') words=-f ;;
    'chain:--codec') words='auto gap bitmap xor' ;;
    'chain:--output' | 'chain:-o') words=-f ;;
    'chain:#'0) words=-d ;;
    'gather:--output' | 'gather:-o') words=-f ;;
    'gather:--cancel') words='delta residual dither:8 none' ;;
    'gather:--grid') words='absmax signed mse' ;;
    'gather:--scale') words='bf16 f16 f32' ;;
    'gather:--state-dtype') words='bf16 f16 f32' ;;
    'gather:--residual-dtype') words='f32 int8' ;;
    'gather:--rival') words='qwz' ;;
    'gather:--key') words='int8 int4 int3 int2 raw' ;;
    'gather:--state') words=-f ;;
    'gather:--join') words='rows flat' ;;
    'gather:--like') words=-f ;;
    'gather:--device') words='auto cpu cuda' ;;
    'gather:--transport') words='auto nccl mpi' ;;
    'gather:--records') words=-f ;;
    'gather:#'0) words=-f ;;
    'simulate:--grid') words='absmax signed mse' ;;
    'simulate:--state-dtype') words='bf16 f16 f32' ;;
    'simulate:--residual-dtype') words='f32 int8' ;;
    'simulate:--output' | 'simulate:-o') words=-f ;;
    'simulate:#'*) words=-f ;;
    'bench kernel:--dtype') words='bf16 f16 f32' ;;
    'bench kernel:--output' | 'bench kernel:-o') words=-f ;;
    'bench io:--output' | 'bench io:-o') words=-f ;;
    'bench gather:--device') words='auto cpu cuda' ;;
    'bench gather:--transport') words='auto nccl mpi' ;;
    'bench gather:--output' | 'bench gather:-o') words=-f ;;
  esac
}

_mlq_quant() {
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

  _mlq_quant_table
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
      _mlq_quant_table
    else
      ((place++))
    fi
  done

  if [[ $takes == *" $previous "* ]]; then
    _mlq_quant_words "$command:$previous"
  elif [[ $current == -* ]]; then
    words=$options
  elif [[ -n $commands ]]; then
    words=$commands
  else
    _mlq_quant_words "$command:#$place"
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

complete -F _mlq_quant mlq-quant
