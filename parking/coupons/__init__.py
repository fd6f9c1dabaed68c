"""Coupons: what operators and merchants take off drivers' bills, counted to the last one."""
