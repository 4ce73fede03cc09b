// Package document keeps tables that people read in the documents the same as those that tests go by.
package document
