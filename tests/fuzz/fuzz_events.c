/* libFuzzer's entry; tests/fuzz/run builds and runs it. */
#include "harness_run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_events(data, size);
	return 0;
}
