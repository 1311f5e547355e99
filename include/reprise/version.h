/**
 * @file version.h
 * Version of the library; meson.build reads these three numbers.
 *
 * Until 1.0 the library promises source compatibility only within one minor version.
 */
#ifndef REPRISE_VERSION_H
#define REPRISE_VERSION_H

#define RP_VERSION_MAJOR 0
#define RP_VERSION_MINOR 1
#define RP_VERSION_PATCH 0

/** Grows by one whenever a function or a field is added to reprise.h. */
#define RP_API_VERSION 8

#endif /* REPRISE_VERSION_H */
