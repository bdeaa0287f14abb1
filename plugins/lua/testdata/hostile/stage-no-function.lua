-- expect: error: deliver is a number
deliver = 1
