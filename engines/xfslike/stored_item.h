// A log item whose object has a place on the medium.
#pragma once

#include "engines/xfslike/log_item.h"

namespace daxlab::xfslike {

class StoredItem : public LogItem {
 public:
  using LogItem::LogItem;
  /// Stores the object in its place, stamped with `lsn`, durable on return. The caller holds the object's lock. What push() does, and what
  /// a commit does where there is no log.
  virtual void write_back(Lsn lsn) = 0;
};

}  // namespace daxlab::xfslike
