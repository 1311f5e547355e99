/* Speech kept on disk, so that the voice of a sound is extracted once.
 *
 * Threads and processes: any; a file appears whole or not at all. */
#ifndef RP_AUDIO_KEPT_H
#define RP_AUDIO_KEPT_H

#include "audio/speech.h"
#include "base/hash.h"

/* What was kept under this key, with start 0; NULL if there is nothing. A file that is broken, cut
 * short or of another version is dropped with one log line.
 * @param key  hex digits */
struct rp_speech *rp_speech_load(const char *folder, const char key[RP_SHA256_HEX]);

/* Keep it. The oldest files go when all are larger than `limit` bytes together. If it cannot be
 * written, that is logged and is no failure. */
void rp_speech_keep(const char *folder, const char key[RP_SHA256_HEX],
                    const struct rp_speech *speech, int64_t limit);

#endif /* RP_AUDIO_KEPT_H */
