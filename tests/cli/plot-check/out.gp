set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set title 'p-value of each test - mlq-loadgen' noenhanced
set xlabel 'p-value, 1e-6 for all below' noenhanced
set key bmargin center horizontal width 2 noenhanced
set errorbars 0
set logscale x
set xrange [1e-05:1]
set xtics ('1e-05' 1e-05, '0.0001' 0.0001, '0.001' 0.001, '0.01' 0.01, '0.1' 0.1, '1' 1) noenhanced
set yrange [6.5:-0.5]
set ytics ('gap_ks' 0, 'gap_anderson_darling' 1, 'lewis' 2, 'ljung_box' 3, 'runs' 4, 'dispersion_10ms' 5, 'phase_1s' 6) noenhanced
$curve0 << EOD
0.001666667 0
0.001428571 1
0.002 2
0.0025 3
0.003333333 4
0.005 5
0.01 6
EOD
$curve1 << EOD
2.4474e-05 1
EOD
$curve2 << EOD
0.005333669 0
0.02099206 2
0.08335199 3
0.1313802 4
0.1632442 5
0.6172462 6
EOD
plot $curve0 using 1:2 with points linetype 1 pointtype 1 title 'level', \
     $curve1 using 1:2 with points linetype 2 pointtype 2 title 'fail', \
     $curve2 using 1:2 with points linetype 3 pointtype 3 title 'pass'
