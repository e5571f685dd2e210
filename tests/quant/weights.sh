# Files of weights for scripts, without a program that makes them.

# A safetensors file with one BF16 tensor of so many rows and columns; its data on standard input.
bf16_file() {  # rows, columns, file, name of the tensor (w)
  local bytes=$(($1 * $2 * 2)) header
  header=$(printf '{"%s":{"dtype":"BF16","shape":[%d,%d],"data_offsets":[0,%d]}}' "${4:-w}" "$1" "$2" "$bytes")
  while [ $((${#header} % 8)) -ne 0 ]; do header+=' '; done
  local length=${#header}
  { printf "\\x$(printf %x $((length & 255)))\\x$(printf %x $((length >> 8)))\0\0\0\0\0\0%s" "$header"; cat; } >"$3"
}
