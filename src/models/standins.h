/* Stand-ins for the networks of the content check.
 *
 * The content check uses no file but the published ones, by their SHA-256. Tests need networks
 * whose answers they know, and machines without the weights need twins of them: for these a build
 * with -Dcheck_standins=true takes any file. Such a build says so in --version, in doctor and in
 * the mark of each output. */
#ifndef RP_STANDINS_H
#define RP_STANDINS_H

#include <stdbool.h>

/* A constant of the build: nothing at run time can change it. */
bool rp_standins_allowed(void);

#endif /* RP_STANDINS_H */
