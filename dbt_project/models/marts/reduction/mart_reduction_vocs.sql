{{ reduction_mart('vocs') }}
