/* plan: what is done with a frame of the target, to read or to compare. */
#include "app/app.h"

int app_plan(struct app *app)
{
    rp_runtime *runtime = NULL;
    char *text = NULL;
    int ret;

    if ((ret = app_require(app, "target-path", "the picture or video to plan for")) < 0)
        return ret;
    ret = app_runtime(app, &runtime);
    if (ret >= 0)
        ret = rp_plan_show(runtime, app->options, app->json, &text);
    if (ret >= 0) {
        app_put_lines(stdout, text);
        ret = app_flush();
    }
    rp_free(text);
    rp_runtime_destroy(&runtime);
    return ret;
}
