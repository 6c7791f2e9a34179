{{ reduction_mart('nox') }}
