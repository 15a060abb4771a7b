Kernel.sleep(600)
