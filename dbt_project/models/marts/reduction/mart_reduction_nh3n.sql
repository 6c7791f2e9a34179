{{ reduction_mart('nh3n') }}
