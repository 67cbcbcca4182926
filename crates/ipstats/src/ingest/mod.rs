//! From log files to the store. (Not written yet.)
