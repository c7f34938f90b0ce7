#pragma once

// The one place that says which libfuse API the project is written to; included by session*.cc
// only.
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
#include <fuse_opt.h>
