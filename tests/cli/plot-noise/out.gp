set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set title 'Gradient noise scale - mlq-simigrad: samples' noenhanced
set xlabel 'step' noenhanced
set key bmargin center horizontal width 2 noenhanced
set errorbars 0
set xrange [0:11]
set logscale y
set yrange [50:5000]
set ytics ('50' 50, '100' 100, '200' 200, '500' 500, '1k' 1000, '2k' 2000, '5k' 5000) noenhanced
$curve0 << EOD
0 698.8227
1 444.1513
2 536.9697
3 451.9849
4 545.29
5 502.1289
6 495.9744
7 578.4801
8 640.9585
9 541.2894
10 564.4306
11 589.5286
EOD
$band0 << EOD

1 84.76002 5000
2 223.9867 5000
3 239.0176 1450.397
4 291.2694 2120.973
5 308.3104 1098.393
6 336.7228 856.1812
7 367.1358 1255.789
8 410.6304 1392.668
9 350.9228 1127.133
10 380.449 1063.275
11 409.3293 1041.272
EOD
$curve1 << EOD
0 128
1 128
2 128
3 128
4 128
5 128
6 128
7 128
8 128
9 128
10 128
11 128
EOD
plot $band0 using 1:2 with dots linetype 1 notitle, \
     $band0 using 1:3 with dots linetype 1 notitle, \
     $curve0 using 1:2 with lines linetype 1 linewidth 1 title 'noise scale', \
     $curve1 using 1:2 with steps linetype 2 linewidth 1 title 'batch'
