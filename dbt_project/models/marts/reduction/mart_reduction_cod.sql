{{ reduction_mart('cod') }}
