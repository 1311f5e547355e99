/* Freeing the pixels of pictures; in every build. */
#include "media/media.h"

#include "base/api.h"

void rp_image_free_sized(rp_image *image, size_t size)
{
    rp_image own;

    rp_api_take(&own, sizeof(own), image, size);
    if (own.owned && own.on_device) {
        rp_log(RP_LOG_WARN, "a picture on a device is freed with rp_image_free_on()");
        return;
    }
    if (own.owned)
        free(own.data);
    memset(image, 0, size);
}
