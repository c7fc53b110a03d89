// Keeps logs short: pages leave a log at its head, so that a record that undoes another never leaves before it.
//
// A page that no reference points to is dropped (fast cleaning). When a log is three times as long as what its last cleaning had to say
// again, its pages are rewritten one by one: what still holds of the head page is said again at the tail (adjacent pages of a file merged into one
// record), then the page is dropped (thorough cleaning). A step costs one page, so nothing waits long for it, and a crash between any two
// stores leaves something said twice.
//
// Threads: the operation that filled half a page of the log does a step at its end, some 5 us for thirty operations; with cleaner=thread a
// thread of its own does them, under the inode's lock. A thread gives nothing back to who writes all the time, as it takes the lock for as
// long, and costs hand-overs; it serves files that are written in bursts.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>

#include "engines/api/types.h"
#include "engines/base/result.h"

namespace daxlab::native {

class FileSystem;
struct Inode;

class Cleaner {
 public:
  explicit Cleaner(FileSystem& fs) : fs_(fs) {}
  ~Cleaner() { stop(); }
  Cleaner(const Cleaner&) = delete;
  Cleaner& operator=(const Cleaner&) = delete;

  /// Starts the thread if the file system is to have one.
  void start();
  void stop();

  /// After an append, the inode's lock held exclusively: cleans a page or queues the inode if it is time. One compare otherwise.
  void grew(Inode& inode);
  /// One step under the inode's lock; false when there is nothing (more) to clean.
  static bool step(FileSystem& fs, Inode& inode);
  /// Steps until nothing is left.
  static void clean_through(FileSystem& fs, Inode& inode);
  /// Cleans what is queued, on the calling thread too, until the queue is empty and no step is under way. False if there was nothing.
  bool drain();

 private:
  static bool wanted(const Inode& inode);
  void enqueue(Inode& inode);
  void clean(InodeId id);
  void run();

  FileSystem& fs_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable idle_;
  std::deque<InodeId> queue_;
  bool stopping_ = false;
  bool busy_ = false;
  std::thread thread_;
};

/// Runs an operation, and once more if it found no space while pages of logs were waiting to be dropped: a thread that has not had its
/// turn is no reason to say that a medium is full. No lock of an inode is held.
template <typename Operation>
auto with_cleaned_space(Cleaner& cleaner, Operation&& operation) {
  auto result = operation();
  if (DAXLAB_LIKELY(result.ok()) || result.code() != Errc::kNoSpace || !cleaner.drain()) return result;
  return operation();
}

}  // namespace daxlab::native
