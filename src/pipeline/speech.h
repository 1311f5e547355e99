/* What is said in a job: for processors with wants_speech, made once before the frames. */
#ifndef RP_PIPELINE_SPEECH_H
#define RP_PIPELINE_SPEECH_H

#include <stdatomic.h>

#include "audio/speech.h"
#include "base/hash.h"
#include "media/sound.h"
#include "pipeline/runtime.h"

struct rp_hearing {
    rp_runtime *runtime;
    const struct rp_settings *settings;
    struct rp_device *device; /* where the voice extractor runs */
    const char *path;         /* a file with sound */
    struct rp_sound_params sound;
    char *damage; /* of so many bytes: what of the sound is lost, "" if nothing; or NULL */
    size_t damage_size;
    char *model; /* of RP_SHA256_HEX bytes: hash of the voice extractor, "" if there is none; or
                    NULL */
    const atomic_int *cancelled; /* not 0: stop with RP_ERR_CANCELLED; NULL: never */
};

/* The voice in a file's sound, from the cache if it is there. If the default voice extractor is not
 * installed and cannot be fetched, the sound itself is taken for the voice, and one line says so;
 * one that was asked for by name is RP_ERR_MISSING.
 * *out is NULL, and 0 returned, if the file has no sound. Its start is that of the sound. */
int rp_hear(struct rp_speech **out, const struct rp_hearing *hearing);

#endif /* RP_PIPELINE_SPEECH_H */
