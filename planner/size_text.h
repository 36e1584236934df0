/* Sizes as people read them in messages: "4.0 GiB". */
#ifndef DROVER_SIZE_TEXT_H
#define DROVER_SIZE_TEXT_H

#include <stdint.h>

struct size_text {
	char text[32];
};

struct size_text size_text(uint64_t bytes);
/* With every digit: for two sizes that would look alike. */
struct size_text size_text_exact(uint64_t bytes);

#endif
