set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set title 'Latency, CCDF - mlq-replay: percentile' noenhanced
set xlabel 'latency' noenhanced
set key bmargin center horizontal width 2 noenhanced
set errorbars 0
set logscale x
set xrange [0.002:0.1]
set xtics ('2ms' 0.002, '5ms' 0.005, '10ms' 0.01, '20ms' 0.02, '50ms' 0.05, '100ms' 0.1) noenhanced
set logscale y
set yrange [0.1:1]
set ytics ('min' 1, 'p50' 0.5, 'p90' 0.1) noenhanced
$curve1 << EOD
0.05 0.1
0.05 1
EOD
$curve0 << EOD
0.003 1
0.005996544 0.6666667
0.008978432 0.3333333
0.009 0.3333333
EOD
plot $curve1 using 1:2 with lines linetype 2 linewidth 1 title 'SLO p99<=50ms', \
     $curve0 using 1:2 with fsteps linetype 1 linewidth 1 title 'latency'
