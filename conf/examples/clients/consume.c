/* May this key go ahead?  In lines, not HTTP.  cc consume.c && ./a.out ip:192.0.2.1 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	struct sockaddr_in gate = {.sin_family = AF_INET,
	    .sin_port = htons(14290),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	FILE *file;
	char line[512];

	if (argc < 2 || connect(fd, (void *)&gate, sizeof(gate)) == -1)
		return 2;
	file = fdopen(fd, "r+");
	fprintf(file, "CONSUME %s\n", argv[1]);
	if (fflush(file) == EOF || !fgets(line, sizeof(line), file))
		return 2;
	if (strncmp(line, "ALLOW", 5) == 0)
		puts("allowed");
	else
		printf("denied, retry after %ld s\n",
		    strstr(line, " retry=") ? 1 + strtol(strstr(line, " retry=") + 7, NULL, 10) : 0);
	return 0;
}
