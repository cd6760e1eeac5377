#include "control/node_id.h"

#include "base/buf.h"
#include "base/siphash.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two machines may be clones of one image, and two containers may have one
 * name.  The first file differs between machines that run, the link between
 * containers. */
#define BOOT_ID    "/proc/sys/kernel/random/boot_id"
#define MACHINE_ID "/etc/machine-id"
#define NET_SPACE  "/proc/self/ns/net"
#define TEXT_LEN   256

void
node_name_make(char to[NODE_NAME_MAX + 1], const char *set)
{
	if (*set)
		snprintf(to, NODE_NAME_MAX + 1, "%s", set);
	else if (gethostname(to, NODE_NAME_MAX + 1) == -1)
		to[0] = '\0';
	to[NODE_NAME_MAX] = '\0';
}

static void
node_id_add_file(struct buf *text, const char *path)
{
	char bytes[TEXT_LEN];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len = fd == -1 ? -1 : read(fd, bytes, sizeof(bytes));

	if (fd != -1)
		close(fd);
	if (len > 0 && buf_add(text, bytes, (size_t)len) == -1)
		return; /* less to tell it apart by */
}

static void
node_id_add_link(struct buf *text, const char *path)
{
	char bytes[TEXT_LEN];
	ssize_t len = readlink(path, bytes, sizeof(bytes));

	if (len > 0 && buf_add(text, bytes, (size_t)len) == -1)
		return;
}

void
node_id_make(
    char to[NODE_ID_LEN + 1], const char *const *addresses, size_t count)
{
	static const struct siphash_seed seed = {1, 2};
	struct buf text = {0};
	struct hash128 hash;

	node_id_add_file(&text, BOOT_ID);
	node_id_add_file(&text, MACHINE_ID);
	node_id_add_link(&text, NET_SPACE);
	for (size_t i = 0; i < count; i++)
		if (buf_printf(&text, "%s\n", addresses[i]) == -1)
			break;
	hash = siphash128(&seed, buf_data(&text), buf_len(&text));
	snprintf(to, NODE_ID_LEN + 1, "%04x", (unsigned)(hash.lo & 0xffff));
	buf_free(&text);
}
