/* join: the output of all segments of a video. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "app/app.h"

/* Paths are those of the runs with --segment. */
int app_join(struct app *app)
{
    char *folder = NULL;
    int ret = rp_options_read_job(app->options, app->args[0], &folder);

    if (ret >= 0 && chdir(folder)) {
        app_log(RP_LOG_ERROR, "%s: where the segments were made: %s", folder, strerror(errno));
        ret = RP_ERR_IO;
    }
    rp_free(folder);
    return ret < 0 ? ret : app_one_job(app, rp_job_join);
}
