/* Voice extractor: what is sung or spoken, without music and noise. */
#ifndef RP_AUDIO_VOICE_H
#define RP_AUDIO_VOICE_H

#include "base/option.h"
#include "engine/slot.h"
#include "models/pool.h"

struct rp_voice_options {
    int model;
};
extern const struct rp_opt_group rp_voice_group;

const char *rp_voice_model_name(const struct rp_settings *settings);

/* Takes the next samples of what it made, left and right. */
typedef int rp_voice_fn(void *priv, const float (*samples)[2], int n);

/* A stream: sound of 48 kHz in, its voice out. It has a slot of its own. */
struct rp_voice;

int rp_voice_create(struct rp_voice **out, struct rp_model *model, struct rp_device *device,
                    rp_voice_fn *fn, void *priv);
void rp_voice_destroy(struct rp_voice **voice);

/* More samples; a failure of fn is passed on. */
int rp_voice_put(struct rp_voice *voice, const int16_t (*samples)[2], int n);
/* There are no more: the rest of the voice. */
int rp_voice_end(struct rp_voice *voice);

/* How often the network runs for a sound of this many samples, and how often it has run. */
int64_t rp_voice_runs(const struct rp_voice *voice, int64_t samples);
int64_t rp_voice_done(const struct rp_voice *voice);

#endif /* RP_AUDIO_VOICE_H */
