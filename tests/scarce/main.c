#include "suites.h"

#include <stdlib.h>

int
main(void)
{
	SRunner *runner;
	int failed;

	/* Check's 4 s are not enough for a leak sanitizer on a busy machine,
	 * which halts and searches each test's process at its end. */
	setenv("CK_DEFAULT_TIMEOUT", "60", 0);
	runner = srunner_create(NULL);
#define SUITE(name) srunner_add_suite(runner, name##_suite());
	SUITES(SUITE)
#undef SUITE
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
