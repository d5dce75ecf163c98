-- Which job has a deduplication id?
--
-- KEYS stream delayed prefix
-- ARGV 1 deduplication id
-- Reply the id of the job; '' if the id is free
--
-- Races
--   A job that was moved by a third-party worker is found as in add.lua; then its marker is corrected.

-- @include lib/dedup

local stream, delayed, prefix = KEYS[1], KEYS[2], KEYS[3]
local key = dedup_key(prefix, ARGV[1])
local job = holder_of(key)
return is_dedup_taken(stream, delayed, prefix, key, job) and job or ''
