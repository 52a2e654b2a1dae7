// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvidia - stand-in for NVIDIA's kernel driver.
 *
 * Owns what other software sees of that driver: PCI driver "nvidia" for 10de
 * class 0300 and 0302, major 195 with a minor per GPU and nvidiactl, and
 * /proc/driver/nvidia/gpus/<BDF>/information. Like the real one it makes no
 * device nodes (nvidia-modprobe does), and its remove() waits for as long as
 * a node is open or mapped. It counts probes and removes, can offer the
 * unbindLock of a vGPU host, and can be told to misbehave.
 */
#define pr_fmt(fmt) "NVRM: " fmt

#include <linux/cdev.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

/*
 * As the real driver prints: without the device. A message with one (pci_info) makes journald read the device's uevent
 * attribute, which takes the device lock on 6.1: journald would hang with remove().
 */
#define nv_print(pdev, text) pr_info("NVRM: %s: %s\n", pci_name(pdev), text)

#define NV_MAJOR 195
#define NV_CTL_MINOR 255

static int probes;
module_param(probes, int, 0644);
MODULE_PARM_DESC(probes, "calls of probe() so far, failed ones too");
static int removes;
module_param(removes, int, 0644);
MODULE_PARM_DESC(removes, "calls of remove() so far");
static int probe_delay_ms;
module_param(probe_delay_ms, int, 0644);
MODULE_PARM_DESC(probe_delay_ms, "probe() takes this long");
static bool fail_probe;
module_param(fail_probe, bool, 0644);
MODULE_PARM_DESC(fail_probe, "probe() fails");
static bool hang_remove;
module_param(hang_remove, bool, 0644);
MODULE_PARM_DESC(hang_remove, "remove() waits until this is N again");
static char hang_only[16];
module_param_string(hang_only, hang_only, sizeof(hang_only), 0644);
MODULE_PARM_DESC(hang_only, "hang_remove is about this function only; empty: about all");
static bool hang_mmap;
module_param(hang_mmap, bool, 0644);
MODULE_PARM_DESC(hang_mmap, "mmap() waits until this is N again, and with it all who look at the process's memory");
static bool kernel_client;
module_param(kernel_client, bool, 0644);
MODULE_PARM_DESC(kernel_client, "something in the kernel uses every GPU, as nvidia-modeset may");
static bool unbind_lock;
module_param(unbind_lock, bool, 0644);
MODULE_PARM_DESC(unbind_lock, "GPUs probed from now on have an unbindLock");
static bool vgpu;
module_param(vgpu, bool, 0644);
MODULE_PARM_DESC(vgpu, "a vGPU build: accepts virtual functions");

struct gpu {
	struct pci_dev *pdev;
	struct proc_dir_entry *dir;
	int minor;
	int users;
	bool unbind_locked;
	char unbind_lock_value; /* written, until the file is closed */
};

static struct gpu *gpus[NV_CTL_MINOR];
static DEFINE_MUTEX(gpus_lock);
static struct proc_dir_entry *proc_root, *proc_gpus;
static struct cdev nv_cdev;

static int nv_open(struct inode *inode, struct file *file)
{
	unsigned int minor = iminor(inode);
	int r = -ENODEV;

	if (minor == NV_CTL_MINOR)
		return 0;
	mutex_lock(&gpus_lock);
	if (gpus[minor] && !gpus[minor]->unbind_locked) {
		gpus[minor]->users++;
		file->private_data = gpus[minor];
		r = 0;
	}
	mutex_unlock(&gpus_lock);
	return r;
}

static int nv_release(struct inode *inode, struct file *file)
{
	struct gpu *gpu = file->private_data;

	if (!gpu)
		return 0;
	mutex_lock(&gpus_lock);
	gpu->users--;
	mutex_unlock(&gpus_lock);
	return 0;
}

/* There is nothing behind the mapping, but it keeps the file. */
static int nv_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct gpu *gpu = file->private_data;

	if (!gpu)
		return -EINVAL;
	if (hang_mmap)
		nv_print(gpu->pdev, "mmap hangs");
	while (hang_mmap)
		schedule_timeout_interruptible(msecs_to_jiffies(100));
	return 0;
}

static const struct file_operations nv_fops = {
	.owner = THIS_MODULE,
	.open = nv_open,
	.mmap = nv_mmap,
	.release = nv_release,
	.llseek = noop_llseek,
};

static int information_show(struct seq_file *m, void *data)
{
	const struct gpu *gpu = m->private;

	seq_puts(m, "Model: \t\t nvfio test GPU\n");
	seq_printf(m, "Bus Location: \t %s\n", pci_name(gpu->pdev));
	seq_printf(m, "Device Minor: \t %d\n", gpu->minor);
	seq_puts(m, "GPU Excluded:\t No\n");
	return 0;
}

static int unbind_lock_show(struct seq_file *m, void *data)
{
	const struct gpu *gpu = m->private;

	seq_printf(m, "%d\n", gpu->unbind_locked);
	return 0;
}

static int unbind_lock_open(struct inode *inode, struct file *file)
{
	return single_open(file, unbind_lock_show, pde_data(inode));
}

/* Nothing happens before the file is closed, and the close succeeds in any case. */
static ssize_t unbind_lock_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct gpu *gpu = pde_data(file_inode(file));

	return count == 0 || get_user(gpu->unbind_lock_value, buf) ? -EFAULT : count;
}

static int unbind_lock_release(struct inode *inode, struct file *file)
{
	struct gpu *gpu = pde_data(inode);

	mutex_lock(&gpus_lock);
	if (gpu->unbind_lock_value == '0')
		gpu->unbind_locked = false;
	else if (gpu->unbind_lock_value == '1' && gpu->users == 0 && !kernel_client)
		gpu->unbind_locked = true;
	else if (gpu->unbind_lock_value == '1')
		nv_print(gpu->pdev, "Could not acquire UnbindLock");
	gpu->unbind_lock_value = '\0';
	mutex_unlock(&gpus_lock);
	return single_release(inode, file);
}

static const struct proc_ops unbind_lock_ops = {
	.proc_open = unbind_lock_open,
	.proc_read = seq_read,
	.proc_write = unbind_lock_write,
	.proc_release = unbind_lock_release,
};

/* Takes the lowest free minor, as the real driver does. */
static int gpu_add(struct gpu *gpu)
{
	int minor, r = -ENOSPC;

	mutex_lock(&gpus_lock);
	for (minor = 0; minor < NV_CTL_MINOR; minor++) {
		if (gpus[minor])
			continue;
		gpu->minor = minor;
		gpus[minor] = gpu;
		r = 0;
		break;
	}
	mutex_unlock(&gpus_lock);
	return r;
}

static bool gpu_in_use(struct gpu *gpu)
{
	bool busy;

	mutex_lock(&gpus_lock);
	busy = gpu->users > 0 || kernel_client;
	/* Given up only now: a later open must find the GPU, or not at all. */
	if (!busy && gpus[gpu->minor] == gpu)
		gpus[gpu->minor] = NULL;
	mutex_unlock(&gpus_lock);
	return busy;
}

static int nv_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct gpu *gpu;
	int r;

	mutex_lock(&gpus_lock);
	probes++;
	mutex_unlock(&gpus_lock);
	nv_print(pdev, "probe");
	if (probe_delay_ms)
		msleep(probe_delay_ms);
	if (pdev->is_virtfn && !vgpu) {
		nv_print(pdev, "Ignoring probe for VF");
		return -1;
	}
	if (fail_probe)
		return -1;

	gpu = kzalloc(sizeof(*gpu), GFP_KERNEL);
	if (!gpu)
		return -ENOMEM;
	gpu->pdev = pdev;
	r = gpu_add(gpu);
	if (r) {
		kfree(gpu);
		return r;
	}
	gpu->dir = proc_mkdir(pci_name(pdev), proc_gpus);
	if (gpu->dir)
		proc_create_single_data("information", 0444, gpu->dir, information_show, gpu);
	if (gpu->dir && unbind_lock)
		proc_create_data("unbindLock", 0644, gpu->dir, &unbind_lock_ops, gpu);
	pci_set_drvdata(pdev, gpu);
	return 0;
}

/* What the shell writes ends with a newline. */
static bool remove_hangs(struct pci_dev *pdev)
{
	const char *name = pci_name(pdev);

	return hang_remove && (hang_only[0] <= ' ' || !strncmp(hang_only, name, strlen(name)));
}

static void nv_remove(struct pci_dev *pdev)
{
	struct gpu *gpu = pci_get_drvdata(pdev);

	mutex_lock(&gpus_lock);
	removes++;
	mutex_unlock(&gpus_lock);
	nv_print(pdev, gpu->unbind_locked ? "remove, unbindLock taken" : "remove");
	if (pci_num_vf(pdev))
		pci_disable_sriov(pdev);
	if (gpu_in_use(gpu))
		nv_print(pdev, "Attempting to remove device with non-zero usage count!");
	/*
	 * Interruptible, and deaf to signals, as the real one: a killed
	 * writer makes this spin.
	 */
	while (gpu_in_use(gpu) || remove_hangs(pdev))
		schedule_timeout_interruptible(msecs_to_jiffies(500));
	proc_remove(gpu->dir);
	kfree(gpu);
}

static const struct pci_device_id nv_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, PCI_ANY_ID),
	  .class = PCI_CLASS_DISPLAY_VGA << 8, .class_mask = ~0U },
	{ PCI_DEVICE(PCI_VENDOR_ID_NVIDIA, PCI_ANY_ID),
	  .class = PCI_CLASS_DISPLAY_3D << 8, .class_mask = ~0U },
	{ }
};
MODULE_DEVICE_TABLE(pci, nv_ids);

static struct pci_driver nv_driver = {
	.name = "nvidia",
	.id_table = nv_ids,
	.probe = nv_probe,
	.remove = nv_remove,
	.sriov_configure = pci_sriov_configure_simple,
};

static int __init nv_init(void)
{
	int r;

	r = register_chrdev_region(MKDEV(NV_MAJOR, 0), NV_CTL_MINOR, "nvidia");
	if (r)
		return r;
	r = register_chrdev_region(MKDEV(NV_MAJOR, NV_CTL_MINOR), 1, "nvidiactl");
	if (r)
		goto out_region;
	cdev_init(&nv_cdev, &nv_fops);
	r = cdev_add(&nv_cdev, MKDEV(NV_MAJOR, 0), NV_CTL_MINOR + 1);
	if (r)
		goto out_ctl;
	proc_root = proc_mkdir("driver/nvidia", NULL);
	proc_gpus = proc_mkdir("driver/nvidia/gpus", NULL);
	r = pci_register_driver(&nv_driver);
	if (r)
		goto out_proc;
	return 0;

out_proc:
	proc_remove(proc_root);
	cdev_del(&nv_cdev);
out_ctl:
	unregister_chrdev_region(MKDEV(NV_MAJOR, NV_CTL_MINOR), 1);
out_region:
	unregister_chrdev_region(MKDEV(NV_MAJOR, 0), NV_CTL_MINOR);
	return r;
}

static void __exit nv_exit(void)
{
	pci_unregister_driver(&nv_driver);
	proc_remove(proc_root);
	cdev_del(&nv_cdev);
	unregister_chrdev_region(MKDEV(NV_MAJOR, NV_CTL_MINOR), 1);
	unregister_chrdev_region(MKDEV(NV_MAJOR, 0), NV_CTL_MINOR);
}

module_init(nv_init);
module_exit(nv_exit);
MODULE_DESCRIPTION("nvfio test: stand-in for the nvidia driver");
MODULE_LICENSE("GPL");
