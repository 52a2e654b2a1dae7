// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nvidia - stand-in for NVIDIA's kernel driver.
 *
 * Owns what other software sees of that driver: PCI driver "nvidia" for 10de
 * class 0300 and 0302, major 195 with a minor per GPU and nvidiactl, and
 * /proc/driver/nvidia/gpus/<BDF>/information. Like the real one it makes no
 * device nodes (nvidia-modprobe does), and its remove() waits for as long as
 * a node is open. It counts probes and removes, and can be told to misbehave.
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
static bool vgpu;
module_param(vgpu, bool, 0644);
MODULE_PARM_DESC(vgpu, "a vGPU build: accepts virtual functions");

struct gpu {
	struct pci_dev *pdev;
	struct proc_dir_entry *dir;
	int minor;
	int users;
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
	if (gpus[minor]) {
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

static const struct file_operations nv_fops = {
	.owner = THIS_MODULE,
	.open = nv_open,
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
	busy = gpu->users > 0;
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
	pci_set_drvdata(pdev, gpu);
	return 0;
}

static void nv_remove(struct pci_dev *pdev)
{
	struct gpu *gpu = pci_get_drvdata(pdev);

	mutex_lock(&gpus_lock);
	removes++;
	mutex_unlock(&gpus_lock);
	nv_print(pdev, "remove");
	if (pci_num_vf(pdev))
		pci_disable_sriov(pdev);
	if (gpu_in_use(gpu))
		nv_print(pdev, "Attempting to remove device with non-zero usage count!");
	/*
	 * Interruptible, and deaf to signals, as the real one: a killed
	 * writer makes this spin.
	 */
	while (gpu_in_use(gpu) || hang_remove)
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
