set encoding utf8
set terminal dumb nofeed size 80,24 noenhanced mono
set title 'ln of the cost, by value of a knob - ’ system ’touch owned’ #' noenhanced
set xlabel 'ln(cost), with its 95 % interval' noenhanced
set key bmargin center horizontal width 2 noenhanced
set errorbars 0
set xrange [0.44:2.06]
set yrange [1.5:-0.5]
set ytics ('"quoted" \ `touch ...(’touch owned’); ’)' 0, '%%s %%d {/Symbol a}_...( EOD !touch owned)' 1) noenhanced
$curve0 << EOD
1.5 0 1 2
0.5 1 0.5 0.5
EOD
plot $curve0 using 1:2:3:4 with xerrorbars linetype 1 pointtype 1 title 'ln(cost)'
