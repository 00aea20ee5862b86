/* SPDX-License-Identifier: BSD-2-Clause
 *
 * A few frames, so few that random entries make them paging structures of each other at several
 * levels at once, of themselves, and data too (R27). Whatever they come to, memory tells the model
 * what each access must do. Stores reach the structures through several linear addresses.
 *
 *   each table:  0x000  entries, of which GRAPH_INDEXES are walked
 *                0x800  data and code that accesses use
 */
#ifndef CHECK_TABLE_GRAPH_H
#define CHECK_TABLE_GRAPH_H

#include "access/access.h"
#include "check/random.h"
#include "paging/space.h"

#define GRAPH_TABLES  6
#define GRAPH_FRAMES  10 /* tables first, then data */
#define GRAPH_INDEXES 6
#define GRAPH_WAYS    3 /* identity map, a 4-KByte page, a 2-MByte page */

struct table_graph {
	struct random random;
	linear_t base;		/* of the PML4E that leads to the graph */
	volatile uint64_t *top; /* that entry */
	gpa_t large;		/* 2 MBytes, some of the frames among them */
	gpa_t frame[GRAPH_FRAMES];
	volatile uint64_t *way[GRAPH_TABLES][GRAPH_WAYS];
	gpa_t other_root;
	bool changes_modes; /* CR0.WP, CR4.SMEP and CR4.SMAP change, too */
	bool changes_nxe;   /* and EFER.NXE */
	bool any_store;	    /* stores by more instructions than MOV */
};

/* New frames and random entries; nothing is cached of them. */
void make_table_graph(struct table_graph *graph, uint64_t salt);

/* Changes 1 to 4 entries, and modes, at random, then invalidates what has to be. */
void edit_table_graph(struct table_graph *graph);

/* Random accesses through it, each expected as modelled. */
void use_table_graph(struct table_graph *graph, unsigned accesses);

#endif
