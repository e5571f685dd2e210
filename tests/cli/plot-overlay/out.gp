set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set colorsequence podo
set title 'Latency over time: latency (ms)' noenhanced
set xlabel 'due time (ms)' noenhanced
set key bmargin center horizontal noenhanced
set errorbars 0
set yrange [0:*]
$curve0 << EOD
5 3

105 6

205 9

305 12

405 15

505 18
EOD
$curve1 << EOD
5 3

105 6

205 9

305 12

405 15

505 18
EOD
$curve2 << EOD
5 2

105 4

205 6

305 8

405 10

505 12
EOD
$curve3 << EOD
5 2

105 4

205 6

305 8

405 10

505 12
EOD
$curve4 << EOD
5 50
505 50
EOD
plot $curve0 using 1:2 with lines linetype 1 linewidth 1 title 'before.jsonl p50', \
     $curve1 using 1:2 with lines linetype 2 linewidth 1 title 'before.jsonl p99', \
     $curve2 using 1:2 with lines linetype 3 linewidth 1 title 'after.jsonl p50', \
     $curve3 using 1:2 with lines linetype 4 linewidth 1 title 'after.jsonl p99', \
     $curve4 using 1:2 with lines linetype 5 linewidth 1 title 'SLO p99<=50ms'
