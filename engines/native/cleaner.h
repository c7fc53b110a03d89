// Keeps logs short: pages leave a log at its head, so that a record that undoes another never leaves before it.
//
// A page that no reference points to is dropped (fast cleaning). When a log is three times as long as what its last cleaning had to say
// again, its pages are rewritten one by one: what still holds of the head page is said again at the tail (adjacent pages of a file merged into one
// record), then the page is dropped (thorough cleaning). A step costs one page, so nothing waits long for it, and a crash between any two
// stores leaves something said twice.
//
// Threads: the operation that filled half a page of the log does a step at its end, some 5 us for thirty operations, under the inode's lock,
// which it holds. A thread would give nothing back to who writes all the time, as it takes the lock for as long, and would cost hand-overs.
#pragma once

namespace daxlab::native {

class FileSystem;
struct Inode;

/// After an append, the inode's lock held exclusively: cleans a page if it is time. One compare otherwise.
void clean_what_grew(FileSystem& fs, Inode& inode);
/// One step under the inode's lock; false when there is nothing (more) to clean.
bool clean_step(FileSystem& fs, Inode& inode);

}  // namespace daxlab::native
