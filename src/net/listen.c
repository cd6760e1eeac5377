/*
 * Opens sockets that clients connect to.  Holds: the mode and the group of a
 * Unix socket are set before it listens, so that no client gets in under other
 * permissions.  The heart is listen_open() and listen_unix().
 */
#include "net/listen.h"

#include "base/host_port.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

static void
listen_explain(char reason[LISTEN_REASON_MAX], const char *text)
{
	snprintf(reason, LISTEN_REASON_MAX, "%s", text);
}

/* Close, and leave errno as it is.  Return -1. */
static int
listen_give_up(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
	return -1;
}

struct addrinfo *
listen_look_up(const char *address, char reason[LISTEN_REASON_MAX])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list = NULL;
	struct host_port read;
	int error;

	if (!host_port_read(&read, address)) {
		host_port_explain(address, reason, LISTEN_REASON_MAX);
		return NULL;
	}
	error = getaddrinfo(
	    *read.host ? read.host : NULL, read.port, &hints, &list);
	if (error) {
		listen_explain(reason, error == EAI_SYSTEM
					   ? strerror(errno)
					   : gai_strerror(error));
		return NULL;
	}
	return list;
}

static int
listen_make_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* IPv4 gets sockets of its own. */
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return fd;
}

/* Whether the error means that this host does not have the address. */
static bool
listen_is_missing(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

/* Return a descriptor, or -1 with errno. */
static int
listen_open(const struct addrinfo *address)
{
	int fd = listen_make_socket(address->ai_family);

	if (fd == -1)
		return -1;
	if (bind(fd, address->ai_addr, address->ai_addrlen) == -1 ||
	    listen(fd, BACKLOG) == -1)
		return listen_give_up(fd);
	return fd;
}

/* Bind the address to any port, to see whether the host has it.  Return 0, or
 * -1 with errno. */
static int
listen_try(const struct addrinfo *address)
{
	struct sockaddr_storage any_port = {0};
	int fd = listen_make_socket(address->ai_family);

	if (fd == -1)
		return -1;
	memcpy(&any_port, address->ai_addr, address->ai_addrlen);
	if (any_port.ss_family == AF_INET)
		((struct sockaddr_in *)&any_port)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&any_port)->sin6_port = 0;
	if (bind(fd, (struct sockaddr *)&any_port, address->ai_addrlen) == -1)
		return listen_give_up(fd);
	close(fd);
	return 0;
}

bool
listen_is_possible(const struct addrinfo *list, char reason[LISTEN_REASON_MAX])
{
	int error = 0;

	for (; list; list = list->ai_next) {
		if (listen_try(list) == 0)
			return true;
		error = errno;
	}
	listen_explain(reason, strerror(error));
	return false;
}

/* A name may have an address twice. */
static bool
listen_is_repeated(const struct addrinfo *list, const struct addrinfo *address)
{
	for (; list != address; list = list->ai_next)
		if (list->ai_addrlen == address->ai_addrlen &&
		    memcmp(list->ai_addr, address->ai_addr, list->ai_addrlen) ==
			0)
			return true;
	return false;
}

int
listen_tcp(const struct addrinfo *list, int fds[LISTEN_TCP_MAX],
    char reason[LISTEN_REASON_MAX])
{
	int count = 0, error = 0;

	for (const struct addrinfo *each = list; each && count < LISTEN_TCP_MAX;
	     each = each->ai_next) {
		if (listen_is_repeated(list, each))
			continue;
		fds[count] = listen_open(each);
		if (fds[count] != -1) {
			count++;
			continue;
		}
		error = errno;
		if (!listen_is_missing(error))
			break;
	}
	if (count > 0 && (!error || listen_is_missing(error)))
		return count;
	listen_explain(reason, strerror(error));
	while (count > 0)
		close(fds[--count]);
	return -1;
}

/* Whether the socket file was left behind by a process that is gone. */
static bool
listen_is_abandoned(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool abandoned;

	if (fd == -1)
		return false;
	abandoned = connect(fd, (const struct sockaddr *)address,
			sizeof(*address)) == -1 &&
		    errno == ECONNREFUSED;
	close(fd);
	return abandoned;
}

/* Whether the path is free, or leads to a socket. */
static bool
listen_is_free(const char *path, char reason[LISTEN_REASON_MAX])
{
	struct stat st;

	if (lstat(path, &st) == -1 || S_ISSOCK(st.st_mode))
		return true;
	listen_explain(reason, "exists, and is not a socket");
	return false;
}

/* Set ${group} to the group's number, or to -1 if none is wanted.  Return
 * whether this worked. */
static bool
listen_find_group(const struct listen_unix *what, gid_t *group,
    char reason[LISTEN_REASON_MAX])
{
	const struct group *found;
	char *end;

	*group = (gid_t)-1;
	if (!*what->group)
		return true;
	*group = (gid_t)strtoul(what->group, &end, 10);
	if (*end == '\0')
		return true;
	found = getgrnam(what->group);
	if (found)
		*group = found->gr_gid;
	else
		snprintf(reason, LISTEN_REASON_MAX, "there is no group %.40s",
		    what->group);
	return found;
}

/* Whether the folder of the file exists. */
static bool
listen_has_folder(const char *path, char reason[LISTEN_REASON_MAX])
{
	struct stat st;
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');

	snprintf(folder, sizeof(folder), "%.*s",
	    slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	if (stat(folder, &st) == 0)
		return true;
	listen_explain(reason, strerror(errno));
	return false;
}

bool
listen_unix_is_possible(
    const struct listen_unix *what, char reason[LISTEN_REASON_MAX])
{
	gid_t group;

	return listen_has_folder(what->path, reason) &&
	       listen_is_free(what->path, reason) &&
	       listen_find_group(what, &group, reason);
}

/* Bind, set the file's group and mode, and listen.  Return 0, or -1 with
 * errno. */
static int
listen_bind_unix(int fd, const struct sockaddr_un *address, int mode,
    gid_t group, struct listen_file *file)
{
	struct stat st;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) ==
		-1 ||
	    lstat(address->sun_path, &st) == -1)
		return -1;
	file->device = st.st_dev;
	file->inode = st.st_ino;
	if ((group == (gid_t)-1 ||
		lchown(address->sun_path, (uid_t)-1, group) == 0) &&
	    (mode == -1 || chmod(address->sun_path, (mode_t)mode) == 0) &&
	    listen(fd, BACKLOG) == 0)
		return 0;
	listen_remove(file);
	return -1;
}

int
listen_unix(const struct listen_unix *what, struct listen_file *file,
    char reason[LISTEN_REASON_MAX])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	gid_t group;
	int result, fd;

	*file = (struct listen_file){0};
	if (!listen_is_free(what->path, reason) ||
	    !listen_find_group(what, &group, reason))
		return -1;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", what->path);
	*file = (struct listen_file){.path = what->path};
	fd = listen_make_socket(AF_UNIX);
	result = fd == -1
		     ? -1
		     : listen_bind_unix(fd, &address, what->mode, group, file);
	if (result == -1 && errno == EADDRINUSE &&
	    listen_is_abandoned(&address)) {
		unlink(what->path);
		result =
		    listen_bind_unix(fd, &address, what->mode, group, file);
	}
	if (result == 0)
		return fd;
	listen_explain(reason, strerror(errno));
	if (fd != -1)
		close(fd);
	*file = (struct listen_file){0};
	return -1;
}

void
listen_remove(const struct listen_file *file)
{
	struct stat st;
	int error = errno;

	if (file->path && lstat(file->path, &st) == 0 &&
	    st.st_dev == file->device && st.st_ino == file->inode)
		unlink(file->path);
	errno = error;
}
