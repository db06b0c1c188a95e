// SPDX-License-Identifier: MIT
// diskfile.h - /dev/vda, /dev/vdb, ...: disks as files of bytes.
#pragma once
void diskfile_boot(void);  // => disks and the initramfs are there
