// Package chunk turns the rows of one column into a finished column chunk of a Parquet
// file: encoded, compressed and summed up, ready to be written where the file is at.
//
// It exists because the tables that list customers are most of what a run writes, and a
// general writer, which takes values one by one and runs a general compressor over eight
// or twelve bytes of each, took a fifth of a run. Here columns come as Arrow arrays and
// every page is written in the form that its values suggest:
//
//	few different values    indexes into a dictionary; where the values lie close together the index is a subtraction,
//	                        of a few hundred sums that are multiples of the same a multiplication; of doubles where that
//	                        saves about a quarter
//	instants, counts        DELTA_BINARY_PACKED
//	money                   PLAIN, in zstd frames that are written without searching for repetitions: see frames
//	texts                   DELTA_LENGTH_BYTE_ARRAY
//	anything else           PLAIN
//
// Pages that do not shrink by a tenth are stored as they are. The bytes depend on the values only.
package chunk
