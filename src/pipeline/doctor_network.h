/* One network of our own, on one device: for the doctor. */
#ifndef RP_DOCTOR_NETWORK_H
#define RP_DOCTOR_NETWORK_H

#include "device/device.h"

/* Run it, on the device's thread. *right: it gave the numbers that it must. */
int rp_doctor_network(struct rp_device *device, bool *right);

#endif /* RP_DOCTOR_NETWORK_H */
