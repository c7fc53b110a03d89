// stat(2) and setattr(2), truncation included.
#pragma once

#include "engines/api/types.h"
#include "engines/xfslike/file_system.h"

namespace daxlab::xfslike {

Attributes attributes_of(Inode& inode);
/// All of it or nothing: one transaction with every attribute and the size; what truncation frees follows in others.
Result<Attributes> set_attributes(FileSystem& fs, Inode& inode, const SetAttributes& changes);

}  // namespace daxlab::xfslike
