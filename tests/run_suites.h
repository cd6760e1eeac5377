/**
 * run_suites: main() of a program of Check.  To be included behind a suites.h.
 */
#ifndef RUN_SUITES_H
#define RUN_SUITES_H

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

#endif
