// One reserved stretch of address space that holds every window of the process, and the table that finds a window by address.
//
// Everything in it that no window covers is PROT_NONE. Cut into 2 MiB slots; a window takes whole slots and begins at the offset
// in its first slot that its file page has in its 2 MiB, so that huge entries stay possible. The slot table is read without
// locks, from signal handlers too. The arena is made by the first window and never given back. The first window also installs the
// fault handler.
//
// After fork() the child finds the whole arena PROT_NONE and gets no upcalls: a userfaultfd belongs to the parent's page tables,
// and a shared mapping inherited without it would let stores pass untracked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "engines/base/result.h"
#include "engines/dax/mmu.h"

namespace daxlab::dax::arena {

/// Reserves slots for `window`, fills in its address and routes it. kNoMemory with the reason.
Result<void> reserve(Window& window);
/// Makes the window's range inaccessible and forgets it. No thread may touch the window any more.
void release(Window& window);
/// The window that contains `p`, or null. Lock-free.
Window* find(const void* p);
/// True in a child of fork(): nothing may be done to page tables through inherited descriptors.
bool forked();

/// Makes [address, address + size) of the arena inaccessible, whatever was mapped there. Async-signal-safe.
Result<void> blank(std::byte* address, uint64_t size_bytes);

}  // namespace daxlab::dax::arena
