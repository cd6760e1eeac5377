#include "suites.h"

#include "run_suites.h"
