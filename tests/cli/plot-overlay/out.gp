set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set title 'Latency over time (ms)' noenhanced
set xlabel 'due time (ms)' noenhanced
set key bmargin center horizontal width 2 noenhanced
set errorbars 0
set xrange [0:550]
set yrange [0:55]
$curve2 << EOD
0 50
550 50
EOD
$curve0 << EOD
50 3
150 6
250 9
350 12
450 15
550 18
EOD
$curve1 << EOD
50 2
150 4
250 6
350 8
450 10
550 12
EOD
plot $curve2 using 1:2 with lines linetype 3 linewidth 1 title 'SLO p99<=50ms', \
     $curve0 using 1:2 with lines linetype 1 linewidth 1 title 'before p99 in 100ms', \
     $curve1 using 1:2 with lines linetype 2 linewidth 1 title 'after p99 in 100ms'
