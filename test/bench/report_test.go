package bench_test

import "flag"

var report = flag.Bool("report", false, "measure at full scale and print the table, as make bench does")
