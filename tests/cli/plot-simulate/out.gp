set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set title 'Error of one gather, worst tensor: relative error' noenhanced
set xlabel 'bits of a code' noenhanced
set key bmargin center horizontal width 2 noenhanced
set errorbars 0
set xrange [4:8]
set logscale y
set yrange [0.001:0.5]
set ytics ('0.001' 0.001, '0.01' 0.01, '0.1' 0.1) noenhanced
$curve0 << EOD
4 0.001595482
8 0.001575829
EOD
$curve1 << EOD
4 0.1834453
8 0.01026351
EOD
$curve2 << EOD
4 0.1538478
8 0.01017202
EOD
$curve3 << EOD
4 0.2231538
8 0.01431186
EOD
$curve4 << EOD
4 0.2516237
8 0.01438788
EOD
$curve5 << EOD
4 0.001595482
8 0.001575829
EOD
plot $curve0 using 1:2 with lines linetype 1 linewidth 1 title 'delta', \
     $curve1 using 1:2 with lines linetype 2 linewidth 1 title 'dither:8', \
     $curve2 using 1:2 with lines linetype 3 linewidth 1 title 'none', \
     $curve3 using 1:2 with lines linetype 4 linewidth 1 title 'residual', \
     $curve4 using 1:2 with lines linetype 5 linewidth 1 title 'stochastic', \
     $curve5 using 1:2 with points linetype 6 pointtype 6 title 'safe'
